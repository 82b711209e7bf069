// A sheet of SHEET words a sample holds all small per-sample numbers; floats are stored as their bits.
const SHEET_IMAGE: u32 = 0u;
const SHEET_LABEL: u32 = 1u;
const SHEET_START_RMS: u32 = 2u;
const SHEET_ERROR_RMS: u32 = 3u;
const SHEET_LOSS: u32 = 4u;
const SHEET_PREDICTION: u32 = 5u;
const SHEET_ENERGIES: u32 = 8u;
const SHEET_WEIGHTS: u32 = SHEET_ENERGIES + REGIONS;
const SHEET_SCORES: u32 = SHEET_WEIGHTS + REGIONS;
const SHEET: u32 = SHEET_SCORES + CLASSES;

fn sheet_float(sample: u32, entry: u32) -> f32 {
    return bitcast<f32>(sheet[sample * SHEET + entry]);
}
