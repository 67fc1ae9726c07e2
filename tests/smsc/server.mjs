// A message centre that speaks SMPP, on loopback. It prints its port, then a line of JSON for whatever it takes.
import smpp from "smpp";

const [systemId, password] = process.argv.slice(2);
const NO_NUMBER = "15005550001";
const say = (told) => console.log(JSON.stringify(told));
let taken = 0;

const server = smpp.createServer((session) => {
  let bound = false;
  session.on("error", () => session.destroy());
  session.on("bind_transmitter", (asked) => {
    bound = asked.system_id === systemId && asked.password === password;
    session.send(asked.response({ command_status: bound ? 0 : smpp.ESME_RBINDFAIL }));
  });
  session.on("submit_sm", (asked) => {
    if (!bound) return session.send(asked.response({ command_status: smpp.ESME_RINVBNDSTS }));
    if (asked.destination_addr === NO_NUMBER) {
      return session.send(asked.response({ command_status: smpp.ESME_RINVDSTADR }));
    }
    const { message, udh } = asked.short_message;
    say({
      to: asked.destination_addr,
      from: asked.source_addr,
      kinds: [asked.source_addr_ton, asked.source_addr_npi, asked.dest_addr_ton, asked.dest_addr_npi],
      text: message,
      part: udh ? udh.map((element) => element.toString("hex")) : null,
      coding: asked.data_coding,
      seconds: Math.round((asked.validity_period - Date.now()) / 1000),
      receipt: asked.registered_delivery,
    });
    session.send(asked.response({ message_id: `m-${++taken}` }));
  });
  session.on("unbind", (asked) => {
    say({ left: true });
    session.send(asked.response());
    session.close();
  });
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
