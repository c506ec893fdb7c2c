// node publish.mjs PORT CA CERT KEY TOPIC COUNT FOLDER: QoS 1 with every message on disk until the broker has it.
// Prints {"messages", "messages_per_s"}.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'
import levelStore from 'mqtt-level-store'

const [port, ca, cert, key, topic, count, folder] = process.argv.slice(2)
const manager = levelStore(folder)
const client = mqtt.connect({
  protocol: 'mqtts', host: '127.0.0.1', port: Number(port), protocolVersion: 5, clientId: 'ops-bench-js', clean: false,
  ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key),
  properties: { sessionExpiryInterval: 60 },
  incomingStore: manager.incoming, outgoingStore: manager.outgoing
})
client.on('error', (error) => { console.error(error.message); process.exit(1) })

const event = (number) => JSON.stringify({
  v: 1, box: 'demo-1', msg_id: `demo-1-e1795255200${1_000_000 + number}`, session: 1795255200, seq: 1795255200 + number,
  at: '2026-11-21T10:00:00.000Z', sent: '2026-11-21T10:00:00.000Z', data: { code: 'E3001', severity: 'warn' }
})

client.once('connect', async () => {
  const window = 20
  const begin = process.hrtime.bigint()
  let next = 0
  const publish_on = async () => {
    while (next < Number(count)) await client.publishAsync(topic, event(next++), { qos: 1 })
  }
  await Promise.all(Array.from({ length: window }, publish_on))
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9
  console.log(JSON.stringify({ messages: Number(count), messages_per_s: Number(count) / seconds }))
  client.end(true, () => process.exit(0))
})
