//! The GPU engine: wgpu compute shaders. The only place that names wgpu.
