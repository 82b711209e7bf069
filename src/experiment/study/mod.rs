//! Studies: many runs, each in a folder of its own, and one table made of them.

mod compare;
mod fig2;
mod pages;
mod runs;
mod spread;

pub use compare::{Comparison, Contest, MethodRow, comparison, contest};
pub use fig2::{DEPTHS, DepthRow, Fig2, OutputFields, Plan, Published, Scale, fig2, plan};
pub use pages::{Origin, comparison_report, fig2_report};
pub(crate) use runs::summary;
pub use runs::{Ended, Entry, Found, Study, Watch, run, run_folder};
pub use spread::Spread;
