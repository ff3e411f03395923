"""The HTTP edge that web-api and billing-service share: problems, keys, limits, health, credits."""
