"""Where finished pictures are delivered: folders, Azure containers, S3 buckets. Interface beside adapters."""
