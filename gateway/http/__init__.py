"""The wire: HTTP requests to the services, and their answers in JSON and XML."""
