// What kind of file system a path lies on, as far as locks are concerned. Knows no lock.

import { statfsSync } from "node:fs";

/** File systems of this kernel alone, by their magic numbers (linux/magic.h, and each one's own source). */
const LOCAL_MAGICS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0xca451a4e, // bcachefs
  0x3153464a, // JFS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs: what is written lies on a local one
  0x4d44, // FAT
  0x2011bab0, // exFAT
  0x7366746e, // ntfs3
]);

/**
 * Whether nobody but a process of this kernel can hold a lock there, and none loses it while it lives. A network's
 * file system may give a lock up with its lease, one in user space as it likes; of an unknown one nothing is believed.
 */
export function keepsLocks(path: string): boolean {
  try {
    // Some of these numbers do not fit into a signed word.
    return process.platform === "linux" && LOCAL_MAGICS.has(statfsSync(path).type >>> 0);
  } catch {
    return false;
  }
}
