//! Why a report could not be made.

/// What can be wrong with the data of a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A list whose length does not fit the rest.
    #[error("report: {what} has {got} entries, but {reference} asks for {want}")]
    Length {
        /// The list.
        what: String,
        /// Its length.
        got: usize,
        /// What fixes the length.
        reference: &'static str,
        /// The length expected.
        want: usize,
    },
    /// A class number that does not exist.
    #[error("report: {what} is class {class}, but there are only {classes} class names")]
    Class {
        /// Where the class was named.
        what: String,
        /// The class.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A detector that leaves the picture it is drawn on.
    #[error(
        "report: detector {index} covers rows {}..{} and columns {}..{}, outside the {} x {} output picture of {example}",
        .rows[0], .rows[1], .cols[0], .cols[1], .picture[0], .picture[1]
    )]
    Detector {
        /// Number of the detector.
        index: usize,
        /// First row and the row after the last.
        rows: [usize; 2],
        /// First column and the column after the last.
        cols: [usize; 2],
        /// Rows and columns of the picture.
        picture: [usize; 2],
        /// The picture.
        example: String,
    },
    /// A number that is not finite where the page needs one.
    #[error("report: {what} is {value}, a finite number is needed")]
    NotFinite {
        /// The number.
        what: String,
        /// Its value.
        value: f64,
    },
    /// The PNG encoder failed.
    #[error("report: cannot encode a picture as PNG")]
    Png(#[from] image::ImageError),
    /// The page could not be put together.
    #[error("report: cannot fill the page template")]
    Template(#[from] askama::Error),
}
