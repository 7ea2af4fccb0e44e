// A page that makes one unary call, to be weighed.

import { one } from "../improbable.js";

document.title = String(await one(location.origin));
