//! What the kernels rely on beyond the checks that all engines make: an index out of bounds would not be caught there.

use crate::engine::{EngineError, ImageSet, Loss, Program, Scoring};

fn shape(what: &str, expected: impl std::fmt::Debug, actual: impl std::fmt::Debug) -> EngineError {
    EngineError::Shape {
        what: what.to_owned(),
        expected: format!("{expected:?}"),
        actual: format!("{actual:?}"),
    }
}

/// Numbers of regions, sizes of targets. (Region numbers in the map are checked when it is cut into runs.)
pub(super) fn program(program: &Program) -> Result<(), EngineError> {
    let readout = &program.readout;
    let regions = match readout.scoring {
        Scoring::Normalised => readout.classes,
        Scoring::Differential => 2 * readout.classes,
    };
    if readout.classes == 0 || readout.regions != regions {
        return Err(shape("number of detector regions", regions.max(1), readout.regions));
    }
    if let Loss::Mse { targets } = &readout.loss {
        let expected = (readout.classes, program.shape[0], program.shape[1]);
        if targets.dim() != expected {
            return Err(shape("targets", expected, targets.dim()));
        }
    }
    Ok(())
}

/// Whether every label has its pixels.
pub(super) fn images(images: &ImageSet) -> Result<(), EngineError> {
    let expected = images.len() * images.size[0] * images.size[1];
    if images.pixels.len() != expected {
        return Err(shape("pixels of the image set", expected, images.pixels.len()));
    }
    Ok(())
}
