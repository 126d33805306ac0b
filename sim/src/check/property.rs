//! The properties: one line each, the numbers of which the incident catalogue and every report use.

/// What a run is judged by, in the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Property {
    /// Single writer.
    S1,
    /// No resurrection.
    S2,
    /// Revision discipline.
    S3,
    /// No false removal.
    S4,
    /// Index equals projection.
    S5,
    /// Read equals table.
    S6,
    /// Uniqueness.
    S7,
    /// Truthful acknowledgement.
    S8,
    /// Not ready means silent.
    S9,
    /// Last intent wins.
    S10,
    /// Push order.
    S11,
    /// Identity.
    S12,
    /// Bounded state.
    S13,
    /// Blast radius.
    S14,
    /// Wall-clock independence.
    S15,
    /// Work bound.
    S16,
    /// No head-of-line blocking.
    S17,
    /// Convergence.
    L1,
    /// Change visible on peers.
    L2,
    /// Live client registered again.
    L3,
    /// Dead client gone at its owner.
    L4,
    /// Dead client gone at replicas.
    L5,
    /// Subscriber told.
    L6,
    /// Node ready after its start.
    L7,
    /// Overload drains.
    L10,
    /// Membership states.
    L11,
    /// Guards end.
    L12,
    /// What the scenario file expects.
    Expect,
}

/// One line about a property, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Which.
    pub property: Property,
    /// Its number, such as `S4`.
    pub code: &'static str,
    /// Its name, such as `no false removal`.
    pub name: &'static str,
    /// What it promises, in one line.
    pub meaning: &'static str,
}

macro_rules! all {
    ($( $property:ident $code:literal $name:literal $meaning:literal; )+) => {
        /// Every property that is judged, in the order of [`Property`].
        pub const ALL: &[About] = &[$(
            About { property: Property::$property, code: $code, name: $name, meaning: $meaning },
        )+];
    };
}

all! {
    S1 "S1" "single writer"
        "only its owner changes or ends a record, and an id has one owner";
    S2 "S2" "no resurrection"
        "a record that a node deleted on its owner's word never comes back there";
    S3 "S3" "revision discipline"
        "a record's revision never falls, and equal revisions mean equal content";
    S4 "S4" "no false removal"
        "no node drops a live, connected client that it could hear of within a lease";
    S5 "S5" "index equals projection"
        "the service index holds exactly what the client table says";
    S6 "S6" "read equals table"
        "every answer and push is the table's projection at a moment not long past";
    S7 "S7" "uniqueness"
        "an instance appears once in an answer or push";
    S8 "S8" "truthful acknowledgement"
        "a success means that it was applied, or that something newer was";
    S9 "S9" "not ready means silent"
        "before its first load is settled a node serves, pushes and deletes nothing";
    S10 "S10" "last intent wins"
        "what an owner has of a client is what its application said last";
    S11 "S11" "push order"
        "a subscriber's lists never go back, and the last one is the node's";
    S12 "S12" "identity"
        "connection ids are unique over nodes and time";
    S13 "S13" "bounded state"
        "tables are bounded by what lives or is leased, and empty when all have gone";
    S14 "S14" "blast radius"
        "a fault at one node removes at others only its own records, after the lease; \
         no empty push while a publisher lives";
    S15 "S15" "wall-clock independence"
        "the history of the tables is the same whatever the wall clocks do";
    S16 "S16" "work bound"
        "verifies per round and resends of an unchanged record are bounded";
    S17 "S17" "no head-of-line blocking"
        "a dead or slow target delays nothing that others are due";
    L1 "L1" "convergence"
        "after the last fault and operation the tables of all live nodes become equal";
    L2 "L2" "change visible on peer"
        "a change at the owner is on every peer within the sync delay";
    L3 "L3" "live client registered again"
        "a client that lost its node is registered at another in time";
    L4 "L4" "dead client gone at owner"
        "a client that died leaves its owner's table in time";
    L5 "L5" "dead client gone at replicas"
        "a client that left its owner leaves all others in time";
    L6 "L6" "subscriber told"
        "a changed list reaches every subscriber in time";
    L7 "L7" "node ready"
        "a started node becomes ready in time";
    L10 "L10" "queues drain"
        "queues are empty again when the load has ended";
    L11 "L11" "membership states"
        "a dead member is seen as DOWN, and a live one as UP, in time";
    L12 "L12" "guards end"
        "what bridges a restart or an outage lets go in time";
    Expect "EXPECT" "expected lists"
        "the lists that the scenario file says must be seen";
}

impl Property {
    /// What there is to say about it.
    pub const fn about(self) -> &'static About {
        &ALL[self as usize]
    }
}
