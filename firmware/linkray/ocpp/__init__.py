"""OCPP-J, sans-I/O: frames, peers, payloads, profiles. Knows no charger settings and no socket."""
