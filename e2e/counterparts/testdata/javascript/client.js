// What a program in a pod does: it creates, watches, keeps a list by bookmarks, and then lists every second. node client.js ROOT; under ROOT are the
// files of a service account, as under / in a container.
import { CoreV1Api, KubeConfig, Watch, makeInformer } from '@kubernetes/client-node';

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
const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, () => api.listNamespacedConfigMap({ namespace }));
const known = new Promise((resolve, reject) => {
  informer.on('update', (object) => object.data?.seen && resolve(`ran ${object.data.seen}`));
  informer.on('error', reject);
});
await informer.start();
await api.replaceNamespacedConfigMap({ namespace, name: 'from-javascript', body: { metadata: { name: 'from-javascript' }, data: { seen: 'hello' } } });
console.log(await known);
await informer.stop();
for (;;) {
  try {
    const list = await api.listNamespacedConfigMap({ namespace });
    console.log(`listed ${list.items.some((o) => o.metadata.name === 'from-javascript')}`);
  } catch (error) {
    console.log(`failed ${error.code ?? error}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
