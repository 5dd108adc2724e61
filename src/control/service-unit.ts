// How `luci serve` is handed to the system's own keeper of services: a systemd user unit, a launchd agent. Pure text.

import { LuciError } from "../domain/errors.ts";

export type ServiceManager = "systemd" | "launchd";

export interface Service {
  /** This very program, and what is typed after it. */
  readonly words: readonly string[];
  /** Variables by name. Nothing secret: others may read a service's definition. */
  readonly environment: ReadonlyMap<string, string>;
}

/** The service's definition. @throws LuciError E_USAGE for a word or value that cannot be written there */
export function serviceUnit(manager: ServiceManager, service: Service): string {
  if ([...service.words, ...service.environment.values()].some((word) => /[\p{Cc}\p{Cs}]/u.test(word)))
    throw new LuciError("E_USAGE", "A path with control characters cannot stand in a service's definition");
  return manager === "systemd" ? systemdUnit(service) : launchdAgent(service);
}

/** systemd.service(5); quoting after systemd.syntax(7), `%` and `$` after systemd.unit(5). */
function systemdUnit({ words, environment }: Service): string {
  const command = words.map((word) => quoteForSystemd(word.replaceAll("$", () => "$$"))).join(" ");
  // Variables are not expanded there (systemd.exec(5)).
  const variables = [...environment].map(
    ([name, value]) => `Environment=${quoteForSystemd(`${name}=${value}`)}\n`,
  );
  return `# ~/.config/systemd/user/luci.service
#   systemctl --user enable --now luci
#   loginctl enable-linger    (to run without a login, too)
[Unit]
Description=luci: downloads of AI models

[Service]
Type=exec
${variables.join("")}ExecStart=${command}
Restart=on-failure
RestartSec=5
TimeoutStopSec=10
NoNewPrivileges=yes

[Install]
WantedBy=default.target`;
}

function quoteForSystemd(word: string): string {
  const doubled = word.replaceAll("%", "%%");
  return /^[\w@%+=:,./$-]+$/.test(doubled)
    ? doubled
    : `"${doubled.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** launchd.plist(5). */
function launchdAgent({ words, environment }: Service): string {
  const items = words.map((word) => `    <string>${escapeXml(word)}</string>`).join("\n");
  const variables = [...environment].map(
    ([name, value]) => `    <key>${escapeXml(name)}</key>\n    <string>${escapeXml(value)}</string>\n`,
  );
  const block =
    variables.length === 0
      ? ""
      : `  <key>EnvironmentVariables</key>\n  <dict>\n${variables.join("")}  </dict>\n`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ~/Library/LaunchAgents/local.luci.plist
     launchctl bootstrap gui/$UID ~/Library/LaunchAgents/local.luci.plist -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>local.luci</string>
  <key>ProgramArguments</key>
  <array>
${items}
  </array>
${block}  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ExitTimeOut</key>
  <integer>10</integer>
</dict>
</plist>`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
