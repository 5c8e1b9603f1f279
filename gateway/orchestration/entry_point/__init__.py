"""The Cloud Entry Point and ResourceMetadata (DSP0263 5.11, 5.12)."""
