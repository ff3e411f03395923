// The server's process: `node main.mjs FOLDER_OF_RHEA KEY` says its two ports on stdout and runs until stdin ends.
import { administer } from "./admin.mjs";
import { Broker, loadRhea } from "./amqp.mjs";
import { Faults } from "./faults.mjs";

const [folder, key] = process.argv.slice(2);
const queues = new Map();
const faults = new Faults();
const broker = new Broker(loadRhea(folder), { key, queues, faults });
const amqp = await broker.listen();
const admin = await administer(broker, queues, faults, key);
console.log(JSON.stringify({ amqp, admin }));
process.stdin.on("end", () => process.exit(0)).resume();
