// A page that makes one unary call, to be weighed.

import { GreeterClient, request } from "../greeter_grpc_web.js";

const client = new GreeterClient(location.origin, { format: "binary" });
document.title = (await client.sayHello(request("World"), {})).getMessage();
