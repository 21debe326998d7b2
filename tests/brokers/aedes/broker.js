// One of the two versions of aedes, with a login: broker.js FOLDER PORT USER PASSWORD. It forgets everything
// when it ends, as Node-RED's broker does.

const net = require('net')
const path = require('path')
const { pathToFileURL } = require('url')

const [folder, port, user, password] = process.argv.slice(2)

async function main () {
  const { main, exports } = require(path.join(folder, 'package.json'))
  const file = path.join(folder, main ?? exports['.'].default)
  const module = await import(pathToFileURL(file))
  const Aedes = module.Aedes ?? module.default
  const broker = Aedes.createBroker ? await Aedes.createBroker() : Aedes()
  broker.authenticate = (_client, name, word, done) =>
    name === user && String(word) === password
      ? done(null, true)
      : done(Object.assign(new Error('wrong login'), { returnCode: 4 }), false)
  broker.on('clientError', (client, error) => console.error(client.id, error.message))
  broker.on('connectionError', (client, error) => console.error(client.id, error.message))
  net.createServer(broker.handle).listen(Number(port), '127.0.0.1', () => console.error('listening'))
}

main()
