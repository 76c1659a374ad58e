// What draws the site's past: one piece, that comes when it is first wanted.

export { DayGraphsTab } from "./daygraphs";
export { Last24 } from "./last24";
