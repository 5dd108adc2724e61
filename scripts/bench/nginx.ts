// One nginx on loopback, run from the work folder: the data files at three speeds, and a model hub of static pages.

import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import type { DataSet } from "./data.ts";
import { HUB_OWNER, PAGES_FOLDER } from "./hub-pages.ts";

const START_MS = 10_000;
/** nginx writes a request's line after its last byte has gone: the client may be done a little earlier. */
const LOG_SETTLE_MS = 150;

/** Bytes per second of one connection; null is as fast as it goes. */
export type Speed = "unthrottled" | "20m" | "2m";

export interface NginxOptions {
  readonly program: string;
  readonly dataFolder: string;
  readonly workFolder: string;
  readonly sets: readonly DataSet[];
  readonly pathsInfoPort: number;
}

export interface Nginx {
  /** Base URL of the hub, without a trailing slash. */
  readonly hubUrl: string;
  /** Addresses of a set's files, in its order. */
  urls(set: DataSet, speed: Speed): readonly string[];
  /** Runs something and tells how many requests the hub got meanwhile. */
  countHubRequests(run: () => Promise<void>): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts it and waits until it listens.
 * @throws Error with nginx's own words when it does not start
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const [plain = 0, mid = 0, slow = 0, hub = 0] = await freePorts(4);
  const ports = { plain, mid, slow, hub };
  const { workFolder, program } = options;
  const conf = join(workFolder, "nginx.conf");
  await writeFile(conf, configuration(options, ports));
  const server = Bun.spawn([program, "-p", workFolder, "-e", "error.log", "-c", conf], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"] ?? "" },
    detached: true,
  });
  const stop = async (): Promise<void> => {
    server.kill("SIGTERM");
    await server.exited;
  };
  if (!(await listens(hub, () => server.exitCode === null))) {
    await stop();
    const log = await readFile(join(workFolder, "error.log"), "utf8").catch(() => "");
    throw new Error(`nginx does not start:\n${await server.stderr.text()}${log}`);
  }
  const bySpeed = { unthrottled: plain, "20m": mid, "2m": slow };
  const log = join(workFolder, "access.log");
  return {
    hubUrl: `http://127.0.0.1:${hub}`,
    urls: (set, speed) =>
      set.files.map(({ path }) => `http://127.0.0.1:${bySpeed[speed]}/${set.name}/${path}`),
    countHubRequests: async (run) => {
      const before = (await readFile(log)).length;
      await run();
      await Bun.sleep(LOG_SETTLE_MS);
      const lines = (await readFile(log)).subarray(before).toString().split("\n");
      return lines.filter((line) => line.startsWith(`${hub} `)).length;
    },
    stop,
  };
}

interface Ports {
  readonly plain: number;
  readonly mid: number;
  readonly slow: number;
  readonly hub: number;
}

function configuration(options: NginxOptions, ports: Ports): string {
  const { dataFolder, workFolder, sets } = options;
  const files = join(dataFolder, "files");
  const pages = join(dataFolder, PAGES_FOLDER);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const isRoot = process.getuid?.() === 0;
  return `daemon off;
${isRoot ? "user root;" : ""}
worker_processes auto;
pid ${workFolder}/nginx.pid;
events { worker_connections 4096; }
http {
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  log_format bench '$server_port $request_method $status $body_bytes_sent $uri';
  access_log ${workFolder}/access.log bench;
  map_hash_max_size 262144;
  map_hash_bucket_size 512;
${temporary.map((name) => `  ${name}_temp_path ${workFolder}/${name};`).join("\n")}
  map $uri $linked_etag {
    default "";
${sets.map(({ name }) => `    include ${pages}/${name}/etags.map;`).join("\n")}
  }
  server { listen 127.0.0.1:${ports.plain}; root ${files}; }
  server { listen 127.0.0.1:${ports.mid}; root ${files}; limit_rate 20m; }
  server { listen 127.0.0.1:${ports.slow}; root ${files}; limit_rate 2m; }
  server {
    listen 127.0.0.1:${ports.hub};
    location ~ ^/api/models/${HUB_OWNER}/[^/]+/paths-info/ { proxy_pass http://127.0.0.1:${options.pathsInfoPort}; }
    location ~ ^/api/models/${HUB_OWNER}/(?<repo>[^/]+)/tree/ {
      default_type application/json;
      alias ${pages}/$repo/tree.json;
    }
    location ~ ^/api/models/${HUB_OWNER}/(?<repo>[^/]+)(?:/revision/|$) {
      default_type application/json;
      alias ${pages}/$repo/info.json;
    }
    location ~ ^/${HUB_OWNER}/(?<repo>[^/]+)/resolve/(?<commit>[^/]+)/(?<path>.+)$ {
      add_header X-Repo-Commit $commit;
      add_header X-Linked-Etag $linked_etag;
      alias ${files}/$repo/$path;
    }
  }
}
`;
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(address !== null && typeof address === "object" ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function listens(port: number, isAlive: () => boolean): Promise<boolean> {
  for (const startedMs = performance.now(); performance.now() - startedMs < START_MS && isAlive();) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return true;
    await Bun.sleep(20);
  }
  return false;
}
