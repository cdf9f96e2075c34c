"""Evaluates endpoint rule sets with botocore's own engine.

Reads one JSON object a line, {"service", "params"}, and writes one a line:
{"url", "name", "region"}, or {"err"} where the rules refuse. The argument is
botocore's wheel.
"""

import gzip
import json
import sys
import zipfile

sys.path.insert(0, sys.argv[1])

from botocore.endpoint_provider import EndpointProvider  # noqa: E402
from botocore.exceptions import EndpointProviderError  # noqa: E402

wheel = zipfile.ZipFile(sys.argv[1])
partitions = json.loads(wheel.read("botocore/data/partitions.json"))
files = {}
for name in wheel.namelist():
    parts = name.split("/")
    if len(parts) == 5 and parts[4].startswith("endpoint-rule-set-1.json"):
        if parts[3] > files.get(parts[2], ("", ""))[0]:
            files[parts[2]] = (parts[3], name)

providers = {}


def provider(service):
    if service not in providers:
        name = files[service][1]
        data = wheel.read(name)
        if name.endswith(".gz"):
            data = gzip.decompress(data)
        providers[service] = EndpointProvider(json.loads(data), partitions)
    return providers[service]


for line in sys.stdin:
    question = json.loads(line)
    try:
        endpoint = provider(question["service"]).resolve_endpoint(**question["params"])
    except EndpointProviderError as e:
        answer = {"err": str(e)}
    else:
        answer = {"url": endpoint.url}
        for scheme in endpoint.properties.get("authSchemes", []):
            if scheme["name"] == "sigv4":
                answer["name"] = scheme.get("signingName", "")
                answer["region"] = scheme.get("signingRegion", "")
                break
    print(json.dumps(answer))
