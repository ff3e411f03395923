"""The console: pages for people, beside the API in web-api's process."""
