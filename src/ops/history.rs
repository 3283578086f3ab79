//! What happened: "why did my port change?"

use crate::context::Context;
use crate::error::Result;
use crate::registry::{Event, Port};
use crate::store;

/// Returns at most `limit` events, newest first; of one port if one is named.
pub fn history(ctx: &mut Context, port: Option<Port>, limit: u32) -> Result<Vec<Event>> {
    Ok(store::read(ctx.store()?, |rows| rows.events(port, limit))?)
}
