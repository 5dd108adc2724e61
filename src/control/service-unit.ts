// How `luci serve` is handed to the system's own keeper of services: a systemd user unit, a launchd agent. Pure text.

import { LuciError } from "../domain/errors.ts";

export type ServiceManager = "systemd" | "launchd";

/** The service's definition: this very program, with these words after it. @throws LuciError E_USAGE for a word that cannot be written there */
export function serviceUnit(manager: ServiceManager, words: readonly string[]): string {
  if (words.some((word) => /[\p{Cc}\p{Cs}]/u.test(word)))
    throw new LuciError("E_USAGE", "A path with control characters cannot stand in a service's definition");
  return manager === "systemd" ? systemdUnit(words) : launchdAgent(words);
}

/** systemd.service(5); quoting after systemd.syntax(7), `%` and `$` after systemd.unit(5). */
function systemdUnit(words: readonly string[]): string {
  const command = words.map(quoteForSystemd).join(" ");
  return `# ~/.config/systemd/user/luci.service
#   systemctl --user enable --now luci
#   loginctl enable-linger    (to run without a login, too)
[Unit]
Description=luci: downloads of AI models

[Service]
Type=exec
ExecStart=${command}
Restart=on-failure
RestartSec=5
TimeoutStopSec=10
NoNewPrivileges=yes

[Install]
WantedBy=default.target`;
}

function quoteForSystemd(word: string): string {
  const doubled = word.replaceAll("%", "%%").replaceAll("$", () => "$$");
  return /^[\w@%+=:,./$-]+$/.test(doubled)
    ? doubled
    : `"${doubled.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** launchd.plist(5). */
function launchdAgent(words: readonly string[]): string {
  const items = words.map((word) => `    <string>${escapeXml(word)}</string>`).join("\n");
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
  <key>RunAtLoad</key>
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
