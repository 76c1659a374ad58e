"""The balancer: facts in, a plan with reasons out."""
