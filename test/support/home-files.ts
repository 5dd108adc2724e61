// What luci keeps in its home beside the models: files that may come and change with any run.

const RECORDS = /^(?:history|luci)\.db(?:-wal|-shm)?$/;

/** Whether a name in the home is that of a record of luci's own, or of the folder of its sockets. */
export function isHomeFile(name: string): boolean {
  return RECORDS.test(name) || name === "run";
}
