//! The CPU engine: rustfft and rayon, generic over `f32` and `f64`.
