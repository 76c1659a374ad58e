"""The pages and the REST API: Starlette under Hypercorn's Trio worker."""
