// A page that makes one unary call, to be weighed.

import { greeter, named } from "../nice_grpc_web.js";

document.title = (await greeter(location.origin).sayHello(named("World"))).message;
