"""The Open Virtualization Format (DSP0243 1.x and 2.x, ISO/IEC 17203): packages read with distrust, and written.

It knows neither CIMI nor the gateway: ``gateway.orchestration.systems`` makes Systems of what is read here.
"""
