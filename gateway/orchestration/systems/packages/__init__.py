"""Systems and SystemTemplates in and out as OVF packages (DSP0263 4.3 and annex A)."""
