/** NAME: counts sessions and their packets. Docs: docs/plugins.md. */
import { definePlugin, type Host } from 'bricks/plugin';

let host: Host;

export default definePlugin<{ packets: number }>({
  name: 'NAME',
  summary: 'counts sessions and their packets',
  options: {
    longest: { type: 'number', preset: 65535, summary: 'bytes; longer packets are dropped' },
    file: { type: 'text', preset: '', summary: 'where a line for each session goes' },
  },
  figures: ['sessions', 'packets', 'dropped'],
  start(given) {
    host = given;
  },
  onOpening(event) {
    event.session.context = { packets: 0 }; // anything of yours; it lives as long as the session
    host.count('sessions');
  },
  onPacket(event) {
    if (event.session.context) event.session.context.packets += 1;
    host.count('packets');
    if ((event.packet?.wireLength ?? 0) > Number(host.options['longest'])) {
      event.drop();
      host.count('dropped');
    }
  },
  onClosing(event) {
    const packets = event.session.context?.packets ?? 0;
    host.emit(`${event.session.address(0)} ${packets} packets, reason ${event.reason}`);
  },
});
