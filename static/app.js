// What the pages do better with a script: dialogs, live parts, shortcuts, copying, uploads with progress. Everything
// works without it, but for progress. Nothing here decides anything: the server's pages are the truth.

import "./js/dialogs.js";
import "./js/drafts.js";
import "./js/keys.js";
import "./js/live.js";
import "./js/uploads.js";
