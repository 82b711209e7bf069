//! A batch on its way through a loaded program, and what is read back of it.

use half::f16;
use ndarray::Array2;
use num_complex::{Complex32, Complex64};
use wgpu::Buffer;

use crate::engine::{EngineError, Parameter, Store};
use crate::optics::Field;

use super::context::Context;
use super::inventory::{record, records};
use super::run::{Common, Group, Order, Run};
use super::schedule::{Purpose, Rule};
use super::sheet::Sheets;

/// A checked batch with all that its passes need.
pub(super) struct Ready<'a> {
    pub(super) context: &'a mut Context,
    pub(super) run: &'a mut Run,
    pub(super) images: &'a Buffer,
    pub(super) common: Common,
    pub(super) sheets: Sheets,
}

impl Ready<'_> {
    /// Runs orders in one submission.
    pub(super) fn submit(&mut self, orders: &[Order]) -> Result<(), EngineError> {
        self.run.submit(self.context, orders, self.common, Some(self.images))
    }

    /// Runs orders with every dispatch timed: seconds of the dispatches of each order.
    pub(super) fn submit_timed(&mut self, orders: &[Order]) -> Result<Vec<Vec<f64>>, EngineError> {
        self.run.submit_timed(self.context, orders, self.common, Some(self.images))
    }

    /// Orders of a training step.
    pub(super) fn step(&self, rule: Rule) -> Vec<Order> {
        let mut orders = self.portions(&[Group::Data(Purpose::Train), Group::Error]);
        orders.extend([Group::Tally, Group::Update(rule), Group::Masks].map(|group| self.whole(group)));
        orders
    }

    /// Orders for every portion of the batch.
    pub(super) fn portions(&self, groups: &[Group]) -> Vec<Order> {
        let of_portion = |samples| groups.iter().map(move |&group| Order { group, samples });
        self.run.portions(self.common.batch).flat_map(of_portion).collect()
    }

    /// Order for the whole batch at once.
    pub(super) fn whole(&self, group: Group) -> Order {
        Order { group, samples: (0, self.common.batch) }
    }

    /// Sheets of the batch; waits for the device.
    pub(super) fn read_sheets(&self) -> Result<Vec<u32>, EngineError> {
        let bytes = (self.common.batch * self.sheets.words() * 4) as u64;
        let read = self.context.read(&[(self.run.buffer("sheet"), bytes)])?;
        Ok(bytemuck::pod_collect_to_vec(&read[0]))
    }

    /// Gradients of all arrays of commands after the error pass, zero where these are not trained; waits for the device.
    /// Recorded fields are lost.
    pub(super) fn read_gradients(&mut self) -> Result<Vec<Array2<f32>>, EngineError> {
        let (parameters, places) = (self.run.program.parameters(), records(&self.run.program));
        let trained = parameters.iter().filter(|p| p.trained).count();
        let mut read = Vec::with_capacity(trained);
        for first in (0..trained).step_by(places) {
            self.submit(&[self.whole(Group::Gradients(first))])?;
            let names = (0..places.min(trained - first)).map(|place| format!("record{place}"));
            read.extend(read_reals(self.context, self.run, names)?);
        }
        let (mut read, [rows, cols]) = (read.into_iter(), self.run.layout.geometry.shape);
        let or_zero = |p: &Parameter| p.trained.then(|| read.next()).flatten();
        let all = parameters.iter().map(or_zero);
        Ok(all.map(|g| g.unwrap_or_else(|| Array2::zeros((rows, cols)))).collect())
    }

    /// The fields `U_l` of a portion while they are in their places; waits for the device.
    pub(super) fn read_recorded(
        &self,
        l: usize,
        (first, count): (usize, usize),
    ) -> Result<Vec<Field>, EngineError> {
        let (run, name) = (&*self.run, record(&self.run.program, l));
        if run.program.store == Store::F32 || l == run.program.hops.len() {
            return self.read_fields(&name, count);
        }
        let (sheets, [rows, cols]) = (self.read_sheets()?, run.layout.geometry.shape);
        let read = self.context.read(&[(run.buffer(&name), (count * rows * cols * 4) as u64)])?;
        let halves: Vec<[u16; 2]> = bytemuck::pod_collect_to_vec(&read[0]);
        let field = |(number, part): (usize, &[[u16; 2]])| {
            let rms = self.sheets.start_rms(&sheets, first + number);
            let unit = f64::from(Store::unit(run.exposure.data[l - 1], rms));
            let wide = |bits| unit * f16::from_bits(bits).to_f64();
            Array2::from_shape_fn((rows, cols), |(r, c)| {
                let [re, im] = part[r * cols + c];
                Complex64::new(wide(re), wide(im))
            })
        };
        Ok(halves.chunks(rows * cols).enumerate().map(field).collect())
    }

    /// The first fields of an array over samples; waits for the device.
    pub(super) fn read_fields(&self, name: &str, count: usize) -> Result<Vec<Field>, EngineError> {
        read_fields(self.context, self.run, name, count)
    }
}

/// The first `count` fields of an array over samples.
pub(super) fn read_fields(
    context: &Context,
    run: &Run,
    name: &str,
    count: usize,
) -> Result<Vec<Field>, EngineError> {
    let pixels = run.layout.geometry.pixels();
    let read = context.read(&[(run.buffer(name), (count * pixels * 8) as u64)])?;
    let values: Vec<Complex32> = bytemuck::pod_collect_to_vec(&read[0]);
    let [rows, cols] = run.layout.geometry.shape;
    let field = |part: &[Complex32]| {
        Array2::from_shape_fn((rows, cols), |(r, c)| {
            let z = part[r * cols + c];
            Complex64::new(z.re.into(), z.im.into())
        })
    };
    Ok(values.chunks(pixels).map(field).collect())
}

/// The first real array in each of some buffers, all read at once.
pub(super) fn read_reals(
    context: &Context,
    run: &Run,
    names: impl Iterator<Item = String>,
) -> Result<Vec<Array2<f32>>, EngineError> {
    let [rows, cols] = run.layout.geometry.shape;
    let buffers: Vec<_> = names.map(|name| (run.buffer(&name), (rows * cols * 4) as u64)).collect();
    let array = |bytes: &Vec<u8>| {
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(bytes);
        Array2::from_shape_fn((rows, cols), |(r, c)| values[r * cols + c])
    };
    Ok(context.read(&buffers)?.iter().map(array).collect())
}
