"""web-api: the HTTP service that clients talk to. One file per resource."""
