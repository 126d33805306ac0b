//! `[[expect]]`, `[expect-fails]` and `expect-reached`: what should come out.

use std::ops::Range;

use distro_node::text::kind::TextKind;

use super::super::fields::Found;
use super::super::hosts::Only;
use super::super::model::{Expect, ExpectList};
use super::super::tables::{self, File};
use super::Reading;

/// Reads all expectations.
pub(super) fn read(found: &mut Found, reading: &Reading<'_>, file: &File) -> Expect {
    let lists = file.expect.0.iter();
    let fails = file.expect_fails.iter();
    Expect {
        lists: lists
            .filter_map(|slot| list(found, reading, slot.value.as_ref()?, slot.span()))
            .collect(),
        fails: fails
            .map(|(profile, check)| (profile.to_text(), check.0.0.to_owned()))
            .collect(),
        reached: file.expect_reached.values().cloned().collect(),
    }
}

fn list(
    found: &mut Found,
    reading: &Reading<'_>,
    table: &tables::Expect,
    span: Range<usize>,
) -> Option<ExpectList> {
    if let Some(at) = *table.at {
        reading.inside(found, "the expectation", table.at.span(), at);
    }
    let place = table.nodes.span();
    let nodes = reading
        .hosts
        .some(found, "nodes", place, &table.nodes, Only::Nodes);
    Some(ExpectList {
        at: (*table.at)?,
        nodes,
        service: table.service.value.clone()?.0,
        instances: *(*table.instances)?,
        line: reading.line(&span),
    })
}
