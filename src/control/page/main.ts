// The page of `luci serve`: what is on its way, what is here, and what could be. It uses the documented API only.

import { Dashboard } from "./dashboard.ts";
import { takeTokenFromAddress } from "./token.ts";

takeTokenFromAddress();
// A link with another token, opened in this tab, does not load the page again.
addEventListener("hashchange", () => {
  if (takeTokenFromAddress()) location.reload();
});
new Dashboard().start();
