"""The parts that all families of resources share: the contract with the wire, services, steps, and staging."""
