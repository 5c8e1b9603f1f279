"""What all families of resources share: the contract with the wire, services, steps, permissions, and staging."""
