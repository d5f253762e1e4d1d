"""What a program in a pod does: it creates, watches, runs a command in a pod, and then lists every second. client.py ROOT; under ROOT are the files of a
service account, as under / in a container."""
import sys
import time

from kubernetes import client, watch
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.stream import stream

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
api.create_namespaced_pod("default", client.V1Pod(
    metadata=client.V1ObjectMeta(name="from-python"), spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="busybox")])))
for event in watch.Watch().stream(api.list_namespaced_pod, "default", field_selector="metadata.name=from-python", timeout_seconds=30):
    if event["object"].status.phase == "Running":
        break
say("ran " + stream(api.connect_get_namespaced_pod_exec, "from-python", "default", command=["echo", "hello"],
                    stdin=False, stdout=True, stderr=True, tty=False).strip())
while True:
    try:
        names = [o.metadata.name for o in api.list_namespaced_config_map("default").items]
        say("listed " + str("from-python" in names).lower())
    except client.ApiException as e:
        say("failed " + str(e.status))
    time.sleep(1)
