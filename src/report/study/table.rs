//! Tables of a study for a terminal and for Markdown.

use super::StudyReport;
use crate::report::boxed;

/// Widest line of running text.
const WIDTH: usize = 100;

/// Title, tables, findings; without a trailing newline.
pub fn study_text(report: &StudyReport) -> String {
    let mut out = boxed::wrapped("", &report.title, WIDTH);
    for table in &report.tables {
        out.push(String::new());
        out.extend(boxed::wrapped("", &table.title, WIDTH));
        out.extend(boxed::lines(std::slice::from_ref(&table.head), &table.rows));
        out.extend(table.note.iter().flat_map(|note| boxed::wrapped("", note, WIDTH)));
    }
    out.push(String::new());
    out.extend(report.findings.iter().flat_map(|f| boxed::wrapped("", f, WIDTH)));
    out.extend(boxed::wrapped("device: ", &report.device, WIDTH));
    out.join("\n")
}

/// All tables as Markdown, with the command that repeats them.
pub fn study_markdown(report: &StudyReport) -> String {
    let mut out = vec![format!("# {}", report.title), String::new(), format!("`{}`", report.command)];
    out.push(format!("({} {}, {}, {})", report.version, report.commit, report.device, report.date));
    for table in &report.tables {
        out.extend([String::new(), table.title.clone(), String::new()]);
        out.push(format!("| {} |", table.head.join(" | ")));
        out.push(format!("|---|{}", "---:|".repeat(table.head.len().saturating_sub(1))));
        out.extend(table.rows.iter().map(|row| format!("| {} |", row.join(" | "))));
        out.extend(table.note.iter().flat_map(|note| [String::new(), note.clone()]));
    }
    out.push(String::new());
    out.extend(report.findings.iter().cloned());
    out.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::sample::sample;
    use super::*;

    #[test]
    fn text_reads_like_this() {
        let text = study_text(&sample());
        let want = "\
Two depths & one <thing>

Accuracy
┌────────┬──────────┬──────────┐
│ layers │    ideal │      FFM │
├────────┼──────────┼──────────┤
│ 2      │   82.5 % │   80.2 % │
│ 4      │ 84 ± 1 % │ 83 ± 2 % │
└────────┴──────────┴──────────┘
2 sigma over seeds.

FFM comes close.
device: a processor";
        assert_eq!(text, want);
    }

    #[test]
    fn markdown_has_the_command_and_whole_rows() {
        let text = study_markdown(&sample());
        assert!(text.contains("`ffm reproduce fig2`"), "{text}");
        let rows: Vec<_> = text.lines().filter(|l| l.starts_with('|')).collect();
        assert!(rows.len() == 4 && rows.iter().all(|l| l.matches('|').count() == 4), "{text}");
    }
}
