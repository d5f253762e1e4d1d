"""What a program in a pod does: it creates, watches, and then lists every second. client.py ROOT; under ROOT are the files of a
service account, as under / in a container."""
import sys
import time

from kubernetes import client, watch
from kubernetes.config.incluster_config import InClusterConfigLoader

ACCOUNT = sys.argv[1] + "/var/run/secrets/kubernetes.io/serviceaccount/"
InClusterConfigLoader(token_filename=ACCOUNT + "token", cert_filename=ACCOUNT + "ca.crt").load_and_set()
api = client.CoreV1Api()


def say(text):
    print(text, flush=True)


api.create_namespaced_config_map("default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="from-python")))
say("created")
for event in watch.Watch().stream(api.list_namespaced_config_map, "default", timeout_seconds=30):
    if event["object"].metadata.name == "from-python":
        say("watched " + event["type"])
        break
while True:
    try:
        names = [o.metadata.name for o in api.list_namespaced_config_map("default").items]
        say("listed " + str("from-python" in names).lower())
    except client.ApiException as e:
        say("failed " + str(e.status))
    time.sleep(1)
