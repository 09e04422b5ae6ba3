"""What botocore knows about S3 and where it is offered, read from its files once, when this is imported.

That takes 0.08 s, nearly all of what it takes to make a client. Worker processes share what their fork server has read
(see `workers`), which is why no session is made here: it would read the files that have credentials.
"""

from botocore.loaders import create_loader

LOADER = create_loader()
"""Keeps what it has read; for sessions that have no folders of their own to look in."""

for _kind in ("service-2", "endpoint-rule-set-1"):
    LOADER.load_service_model("s3", _kind, api_version=None)  # in just these words: it keeps them by the arguments
for _name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
    LOADER.load_data(_name)
