// What a program in a pod does: it creates, watches, and then lists every second. node client.js ROOT; under ROOT are the
// files of a service account, as under / in a container.
import { CoreV1Api, KubeConfig, Watch } from '@kubernetes/client-node';

const config = new KubeConfig();
config.loadFromCluster(process.argv[2]);
const api = config.makeApiClient(CoreV1Api);
const namespace = 'default';

const made = new Promise((resolve, reject) => {
  new Watch(config).watch(`/api/v1/namespaces/${namespace}/configmaps`, {}, (type, object) => {
    if (object.metadata.name === 'from-javascript') resolve(`watched ${type}`);
  }, reject);
});
await api.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'from-javascript' } } });
console.log('created');
console.log(await made);
for (;;) {
  try {
    const list = await api.listNamespacedConfigMap({ namespace });
    console.log(`listed ${list.items.some((o) => o.metadata.name === 'from-javascript')}`);
  } catch (error) {
    console.log(`failed ${error.code ?? error}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
