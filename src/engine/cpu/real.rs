//! The number types the CPU engine computes in.

use num_traits::{Float, FloatConst};

use super::Measures;
use super::machine::Machine;
use crate::device::noise;
use crate::engine::EngineError;

/// `f32` (the product) or `f64` (the reference).
pub trait Real:
    ffm_fft::Planned + Float + FloatConst + std::iter::Sum + std::ops::AddAssign + bytemuck::Pod
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Rounds from `f64`.
    fn of(value: f64) -> Self;
    /// Widens to `f64`.
    fn wide(self) -> f64;
    /// `(cos, sin)` of a phase in radians, to the precision of the type.
    fn cos_sin(phase: Self) -> (Self, Self);
    /// `exp x` for `x` in `-86..=0`, to the precision of the type.
    fn exp_negative(x: Self) -> Self;
    /// An engine that computes in this type, with `threads` threads.
    ///
    /// # Errors
    /// [`EngineError::Device`] when threads cannot be started.
    fn machine(threads: usize) -> Result<Box<dyn Measures>, EngineError>;
}

impl Real for f32 {
    const NAME: &'static str = "f32";
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn cos_sin(phase: Self) -> (Self, Self) {
        // The polynomial vectorises, the library call does not. Masks are rebuilt once per update.
        let turns = phase * std::f32::consts::FRAC_1_PI * 0.5;
        noise::cos_sin_turns(turns - turns.floor())
    }
    #[inline(always)]
    fn exp_negative(x: Self) -> Self {
        noise::exp_negative(x)
    }
    fn machine(threads: usize) -> Result<Box<dyn Measures>, EngineError> {
        Ok(Box::new(Machine::<Self>::new(threads)?))
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn cos_sin(phase: Self) -> (Self, Self) {
        let (sin, cos) = phase.sin_cos();
        (cos, sin)
    }
    #[inline(always)]
    fn exp_negative(x: Self) -> Self {
        x.exp()
    }
    fn machine(threads: usize) -> Result<Box<dyn Measures>, EngineError> {
        Ok(Box::new(Machine::<Self>::new(threads)?))
    }
}

/// Defines functions whose body is compiled twice on x86-64, portable and with AVX2, and chosen at run time.
///
/// Loops over complex rows gain a factor of two to three from the wider registers; results are the same, since
/// multiply-adds are not contracted.
macro_rules! wide {
    ($(#[$doc:meta])* $vis:vis fn $name:ident<T: Real $(, const $n:ident: usize)?>($($arg:ident: $ty:ty),* $(,)?)
     $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name<T: Real $(, const $n: usize)?>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable<T: Real $(, const $n: usize)?>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2<T: Real $(, const $n: usize)?>($($arg: $ty),*) $(-> $ret)? {
                    portable::<T $(, $n)?>($($arg),*)
                }
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has just been asked for the features.
                    return unsafe { avx2::<T $(, $n)?>($($arg),*) };
                }
            }
            portable::<T $(, $n)?>($($arg),*)
        }
    };
}
pub(crate) use wide;
