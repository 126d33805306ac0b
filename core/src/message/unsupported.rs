//! Requests of Nacos's other modules, which this server does not offer: configuration, locks, AI.
//!
//! Each has its own response type. Why they are known at all: an SDK that gets Nacos's generic
//! `ErrorResponse` tries again, then doubts its connection and reconnects, for ever; a failure of
//! the type that it waits for is handed to its caller at once (part 1.6).

/// A request that is always refused, told by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unsupported {
    /// Read a configuration.
    ConfigQuery,
    /// Write a configuration.
    ConfigPublish,
    /// Remove a configuration.
    ConfigRemove,
    /// Be told when configurations change.
    ConfigBatchListen,
    /// Be told when configurations that match a pattern come or go (3.0).
    ConfigFuzzyWatch,
    /// Take or give back a lock (3.0).
    LockOperation,
    /// Read an MCP server (3.0).
    QueryMcpServer,
    /// Publish an MCP server (3.0).
    ReleaseMcpServer,
    /// Register or deregister an endpoint of an MCP server (3.0).
    McpServerEndpoint,
    /// Read an agent's card (3.1).
    QueryAgentCard,
    /// Publish an agent's card (3.1).
    ReleaseAgentCard,
    /// Register or deregister an endpoint of an agent (3.1).
    AgentEndpoint,
}

impl Unsupported {
    /// All of them: request type, response type.
    pub const ALL: [(Unsupported, &'static str, &'static str); 12] = [
        (
            Unsupported::ConfigQuery,
            "ConfigQueryRequest",
            "ConfigQueryResponse",
        ),
        (
            Unsupported::ConfigPublish,
            "ConfigPublishRequest",
            "ConfigPublishResponse",
        ),
        (
            Unsupported::ConfigRemove,
            "ConfigRemoveRequest",
            "ConfigRemoveResponse",
        ),
        (
            Unsupported::ConfigBatchListen,
            "ConfigBatchListenRequest",
            "ConfigChangeBatchListenResponse",
        ),
        (
            Unsupported::ConfigFuzzyWatch,
            "ConfigFuzzyWatchRequest",
            "ConfigFuzzyWatchResponse",
        ),
        (
            Unsupported::LockOperation,
            "LockOperationRequest",
            "LockOperationResponse",
        ),
        (
            Unsupported::QueryMcpServer,
            "QueryMcpServerRequest",
            "QueryMcpServerResponse",
        ),
        (
            Unsupported::ReleaseMcpServer,
            "ReleaseMcpServerRequest",
            "ReleaseMcpServerResponse",
        ),
        (
            Unsupported::McpServerEndpoint,
            "McpServerEndpointRequest",
            "McpServerEndpointResponse",
        ),
        (
            Unsupported::QueryAgentCard,
            "QueryAgentCardRequest",
            "QueryAgentCardResponse",
        ),
        (
            Unsupported::ReleaseAgentCard,
            "ReleaseAgentCardRequest",
            "ReleaseAgentCardResponse",
        ),
        (
            Unsupported::AgentEndpoint,
            "AgentEndpointRequest",
            "AgentEndpointResponse",
        ),
    ];

    /// Nacos's type name of the request.
    pub const fn type_name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Nacos's type name of the response.
    pub const fn response_name(self) -> &'static str {
        Self::ALL[self as usize].2
    }

    /// The request with this type name.
    pub fn of_request(name: &str) -> Option<Unsupported> {
        let known = Self::ALL.iter().find(|(_, request, _)| *request == name);
        known.map(|(which, _, _)| *which)
    }

    /// The request that is answered by this type.
    pub fn of_response(name: &str) -> Option<Unsupported> {
        let known = Self::ALL.iter().find(|(_, _, response)| *response == name);
        known.map(|(which, _, _)| *which)
    }

    /// What the caller is told.
    pub const fn refusal(self) -> &'static str {
        match self {
            Unsupported::ConfigQuery
            | Unsupported::ConfigPublish
            | Unsupported::ConfigRemove
            | Unsupported::ConfigBatchListen
            | Unsupported::ConfigFuzzyWatch => {
                "Configuration is not supported by this server; it serves ephemeral naming."
            }
            Unsupported::LockOperation => {
                "Locks are not supported by this server; it serves ephemeral naming."
            }
            Unsupported::QueryMcpServer
            | Unsupported::ReleaseMcpServer
            | Unsupported::McpServerEndpoint
            | Unsupported::QueryAgentCard
            | Unsupported::ReleaseAgentCard
            | Unsupported::AgentEndpoint => {
                "AI resources are not supported by this server; it serves ephemeral naming."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_in_the_table_at_its_own_place_under_names_of_its_own() {
        for (at, (which, request, response)) in Unsupported::ALL.into_iter().enumerate() {
            assert_eq!(which as usize, at, "{which:?}");
            assert_eq!(Unsupported::of_request(request), Some(which));
            assert_eq!(Unsupported::of_response(response), Some(which));
        }
    }
}
