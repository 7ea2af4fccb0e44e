// A page that makes one unary call, to be weighed.

import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Greeter } from "generated/helloworld_pb.js";

const client = createClient(Greeter, createGrpcWebTransport({ baseUrl: location.origin }));
document.title = (await client.sayHello({ name: "World" })).message;
