//! The main port's HTTP over loopback, against nodes that run.

mod rig;

use distro_core::ids::Str;
use serde_json::Value;
use tokio::task::LocalSet;

use super::BODY_BYTES_MAX;
use super::auth::AuthSettings;

use rig::*;

const REGISTER: &str = "/nacos/v1/ns/instance?serviceName=orders&ip=10.1.1.1&port=8080";

#[tokio::test]
async fn a_client_without_a_connection_registers_beats_lists_and_goes() {
    let work = async {
        let node = alone().await;
        let beat = "/nacos/v1/ns/instance/beat?serviceName=orders&ip=10.1.1.1&port=8080";
        let told = node.call("PUT", beat).await.json();
        assert_eq!(told["code"], 20_404, "a light beat registers nothing");
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let body = "serviceName=DEFAULT_GROUP%40%40orders&ip=10.1.1.1&port=8080&weight=2.5\
                    &metadata=%7B%22zone%22%3A%22a%22%7D";
        let told = node.send("POST", "/nacos/v1/ns/instance", form, body).await;
        assert_eq!((told.status, told.body.as_str()), (200, "ok"));
        let told = node.call("PUT", beat).await.json();
        assert_eq!(
            (told["code"].as_u64(), told["clientBeatInterval"].as_u64()),
            (Some(10_200), Some(5_000))
        );
        let list = "/nacos/v1/ns/instance/list?serviceName=orders&healthyOnly=true";
        let info = node.call("GET", list).await.json();
        assert_eq!(info["name"], "DEFAULT_GROUP@@orders");
        let host = &info["hosts"][0];
        assert_eq!(host["ip"], "10.1.1.1");
        assert_eq!(host["weight"], 2.5);
        assert_eq!(host["metadata"]["zone"], "a");
        let told = node.call("DELETE", REGISTER).await;
        assert_eq!(told.body, "ok");
        let info = node.call("GET", list).await.json();
        assert_eq!(info["hosts"].as_array().map(Vec::len), Some(0));
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn lists_filter_by_cluster_health_group_and_namespace() {
    let work = async {
        let node = alone().await;
        for more in [
            "port=1&metadata=zone%3Da",
            "port=2&clusterName=far",
            "port=3&healthy=false",
            "port=4&enabled=false",
            "port=5&groupName=other",
            "port=6&namespaceId=dev",
        ] {
            let path =
                format!("/nacos/v3/client/ns/instance?serviceName=orders&ip=10.1.1.1&{more}");
            assert_eq!(node.call("POST", &path).await.status, 200, "{more}");
        }
        let ports = async |path: &str| {
            let list = node.data(path).await;
            let hosts = if list.is_array() {
                &list
            } else {
                &list["hosts"]
            };
            let hosts = hosts.as_array().unwrap();
            let mut ports: Vec<u64> = hosts.iter().filter_map(|h| h["port"].as_u64()).collect();
            ports.sort_unstable();
            ports
        };
        let v2 = "/nacos/v2/ns/instance/list?serviceName=orders";
        assert_eq!(ports(v2).await, [1, 2, 3]);
        assert_eq!(ports(&format!("{v2}&healthyOnly=true")).await, [1, 2]);
        assert_eq!(ports(&format!("{v2}&clusterName=far")).await, [2]);
        assert_eq!(ports(&format!("{v2}&groupName=other")).await, [5]);
        assert_eq!(ports(&format!("{v2}&namespaceId=dev")).await, [6]);
        let v3 = "/nacos/v3/client/ns/instance/list?serviceName=orders";
        assert_eq!(
            ports(v3).await,
            [1, 3],
            "Nacos lists one cluster unless told"
        );
        let admin = "/nacos/v3/admin/ns/instance/list?serviceName=orders";
        assert_eq!(ports(admin).await, [1, 2, 3, 4], "disabled ones too");
        let seen = node.data("/nacos/v3/admin/core/namespace/list").await;
        let names: Vec<&Value> = seen
            .as_array()
            .unwrap()
            .iter()
            .map(|n| &n["namespace"])
            .collect();
        assert_eq!(names, ["dev", "public"]);
        let found = node
            .data("/nacos/v3/admin/ns/service/list?serviceNameParam=ord")
            .await;
        assert_eq!(found["totalCount"], 2);
        let names = "/nacos/v1/ns/service/list?selector=";
        let label = |expression| {
            format!("{names}%7B%22type%22:%22label%22,%22expression%22:%22{expression}%22%7D")
        };
        let zone = label("INSTANCE.metadata.zone='a'");
        assert_eq!(node.call("GET", &zone).await.json()["count"], 1);
        let zone = label("INSTANCE.metadata.zone='b'");
        assert_eq!(node.call("GET", &zone).await.json()["count"], 0);
        for bad in [label("zone"), format!("{names}7")] {
            assert_eq!(node.call("GET", &bad).await.status, 400, "{bad}");
        }
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn a_service_below_its_threshold_is_protected_in_every_list() {
    let work = async {
        let node = alone().await;
        for more in ["port=1", "port=2&healthy=false", "port=3&healthy=false"] {
            for service in ["guarded", "orders"] {
                let path =
                    format!("/nacos/v1/ns/instance?serviceName={service}&ip=10.1.1.1&{more}");
                assert_eq!(node.call("POST", &path).await.status, 200, "{more}");
            }
        }
        let healthy = |hosts: &Value| {
            let hosts = hosts.as_array().unwrap().iter();
            hosts.filter(|host| host["healthy"] == true).count()
        };
        for (service, protected, count) in [("guarded", true, 3), ("orders", false, 1)] {
            let list = format!("/nacos/v1/ns/instance/list?serviceName={service}");
            let info = node.call("GET", &list).await.json();
            assert_eq!(info["reachProtectionThreshold"], protected, "{service}");
            assert_eq!(healthy(&info["hosts"]), count, "{service}");
            let list = format!("/nacos/v2/ns/instance/list?serviceName={service}");
            let info = node.data(&list).await;
            assert_eq!(info["reachProtectionThreshold"], protected, "{service}");
            let list = format!("/nacos/v3/client/ns/instance/list?serviceName={service}");
            assert_eq!(healthy(&node.data(&list).await), count, "{service}");
            let admin = format!("/nacos/v3/admin/ns/instance/list?serviceName={service}");
            assert_eq!(
                healthy(&node.data(&admin).await),
                1,
                "an operator sees what is so"
            );
            let detail = format!("/nacos/v3/admin/ns/service?serviceName={service}");
            let threshold = if protected { 0.5 } else { 0.0 };
            assert_eq!(node.data(&detail).await["protectThreshold"], threshold);
        }
    };
    LocalSet::new().run_until(work).await;
}

/// What of `value` is not as `schema` says.
fn misfit(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        _ => true,
    };
    if !fits {
        return Some(format!("{at}: {value} is no {}", schema["type"]));
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for key in required.filter_map(Value::as_str) {
        let Some(inner) = value.get(key) else {
            return Some(format!("{at}: no {key} in {value}"));
        };
        let found = misfit(&schema["properties"][key], inner, &format!("{at}.{key}"));
        if found.is_some() {
            return found;
        }
    }
    let items = value.as_array().into_iter().flatten();
    let mut found = items.filter_map(|item| misfit(&schema["items"], item, &format!("{at}[]")));
    found.next()
}

fn query<'a>(parameters: impl Iterator<Item = &'a Value>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for parameter in parameters {
        let text = |key: &str| parameter[key].as_str().unwrap().to_owned();
        query.append_pair(&text("name"), &text("example"));
    }
    query.finish()
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let work = async {
        let node = alone().await;
        let document = node.call("GET", "/nacos/v3/api-docs").await.json();
        let base = document["servers"][0]["url"].as_str().unwrap();
        let mut operations = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                operations += 1;
                let name = format!("{method} {path}");
                assert_eq!(node.call("POST", REGISTER).await.body, "ok");
                let parameters = operation["parameters"].as_array().unwrap();
                let method = method.to_uppercase();
                let with = |query: &str| format!("{base}{path}?{query}");
                let answer = node.call(&method, &with(&query(parameters.iter()))).await;
                assert_eq!(answer.status, 200, "{name}: {}", answer.body);
                let content = operation["responses"]["200"]["content"]
                    .as_object()
                    .unwrap();
                let (media, body) = content.iter().next().unwrap();
                assert!(
                    answer.kind.starts_with(media.as_str()),
                    "{name}: {}",
                    answer.kind
                );
                let value = if media == "application/json" {
                    answer.json()
                } else {
                    Value::String(answer.body.clone())
                };
                assert_eq!(misfit(&body["schema"], &value, &name), None);
                for missing in parameters.iter().filter(|p| p["required"] == true) {
                    let rest = parameters.iter().filter(|p| *p != missing);
                    let answer = node.call(&method, &with(&query(rest))).await;
                    assert_eq!(
                        answer.status, 400,
                        "{name} without {missing}: {}",
                        answer.body
                    );
                }
            }
            let answer = node.call("TRACE", &format!("{base}{path}")).await;
            assert_eq!(answer.status, 405, "TRACE {path}");
        }
        assert_eq!(
            operations,
            super::routes::routes().len(),
            "every route is documented"
        );
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn a_write_goes_to_the_responsible_node_and_stays_when_that_is_gone() {
    let work = async {
        let mut nodes = cluster(2, &no_auth()).await;
        let mut other = nodes.remove(1);
        let this = nodes.remove(0);
        let owned = |running: &Running| running.node.borrow().ip_port_clients().1;
        let port = port_of(&this, &other.name);
        let path = format!("/nacos/v1/ns/instance?serviceName=orders&ip=10.1.1.1&port={port}");
        assert_eq!(this.call("POST", &path).await.body, "ok");
        assert_eq!((owned(&this), owned(&other)), (0, 1), "forwarded");
        // What is wrong is told by whoever answers, in the same words.
        let wrong = format!("{path}&clusterName=a_b");
        let told = this.call("POST", &wrong).await;
        assert_eq!(told.status, 400);
        assert!(told.body.contains("'clusterName'"), "{}", told.body);
        // A request of a node is not forwarded again: here it takes the client over.
        let from_node = "user-agent: Nacos-Server:v3.1.0\r\n";
        let heavy = format!("{path}&weight=5");
        assert_eq!(this.send("POST", &heavy, from_node, "").await.body, "ok");
        assert_eq!(owned(&this), 1);
        other.kill().await;
        let port = (port + 1..1_000)
            .find(|port| {
                let tag = format!("10.1.1.1:{port}");
                *this.node.borrow().responsible(&tag) == other.name
            })
            .unwrap();
        let path = format!("/nacos/v1/ns/instance?serviceName=orders&ip=10.1.1.1&port={port}");
        assert_eq!(this.call("POST", &path).await.body, "ok");
        assert_eq!(owned(&this), 2, "served here, since nobody answers there");
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn with_auth_on_only_a_token_opens_what_is_not_open_to_all() {
    let work = async {
        let hash = bcrypt::hash("right", 4).unwrap();
        let auth = AuthSettings {
            on: true,
            users: [("nacos".to_owned(), hash)].into(),
            ..no_auth()
        };
        let node = cluster(1, &auth).await.remove(0);
        for route in super::routes::routes() {
            let path = format!("/nacos{}", route.path);
            let answer = node.call(route.method.as_str(), &path).await;
            let is_open = route.access == super::routes::Access::Open;
            assert_eq!(answer.status == 403, !is_open, "{} {path}", route.method);
        }
        let login = "/nacos/v1/auth/users/login?username=nacos&password=";
        let refused = node.call("POST", &format!("{login}wrong")).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        let told = node.call("POST", &format!("{login}right")).await.json();
        let token = told["accessToken"].as_str().unwrap();
        assert_eq!(told["tokenTtl"], 100);
        let list = "/nacos/v3/client/ns/instance/list?serviceName=orders";
        let by_query = node
            .call("GET", &format!("{list}&accessToken={token}"))
            .await;
        let header = format!("accessToken: {token}\r\n");
        let by_header = node.send("GET", list, &header, "").await;
        let bearer = format!("authorization: Bearer {token}\r\n");
        let by_bearer = node.send("GET", list, &bearer, "").await;
        assert_eq!(
            [by_query.status, by_header.status, by_bearer.status],
            [200; 3]
        );
        let cut = &token[..token.len() - 1];
        let by_cut = node.call("GET", &format!("{list}&accessToken={cut}")).await;
        assert_eq!(by_cut.status, 403);
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn wrong_input_is_told_and_changes_nothing() {
    let work = async {
        let node = alone().await;
        let base = "/nacos/v1/ns/instance?serviceName=orders&ip=10.1.1.1&port=1";
        for (more, status, named) in [
            ("&port=80", 200, "ok"),
            ("&weight=-1", 400, "weights range"),
            ("&weight=NaN", 400, "'weight'"),
            ("&enabled=perhaps", 400, "true or false"),
            ("&metadata=%7Bbad", 400, "JSON object"),
            ("&metadata=bad", 400, "key=value"),
            ("&ephemeral=false", 501, "persistent"),
            ("&clusterName=a_b", 400, "'clusterName'"),
            ("&namespaceId=%ff", 400, "UTF-8"),
            ("&groupName=%00", 400, "UTF-8"),
            ("&metadata=publishInstanceWeight%3D5", 400, "reserved"),
        ] {
            let answer = node.call("POST", &format!("{base}{more}")).await;
            assert_eq!(answer.status, status, "{more}: {}", answer.body);
            assert!(answer.body.contains(named), "{more}: {}", answer.body);
        }
        assert_eq!(
            node.node.borrow().ip_port_clients(),
            (1, 1),
            "the first one only"
        );
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let large = "a".repeat(BODY_BYTES_MAX + 1);
        let answer = node
            .send("POST", "/nacos/v1/ns/instance", form, &large)
            .await;
        assert_eq!(answer.status, 413);
        for (path, status) in [
            ("/", 404),
            ("/nacos", 404),
            ("/nacos/v1/ns/instanc", 404),
            ("/v1/ns/instance/list?serviceName=orders", 404),
            ("/nacos/v1/cs/configs?dataId=a&group=b", 501),
            ("/nacos/v3/client/cs/config?dataId=a", 501),
        ] {
            assert_eq!(node.call("GET", path).await.status, status, "{path}");
        }
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn a_node_that_drains_is_not_ready() {
    let work = async {
        let node = alone().await;
        let paths = [
            "/nacos/v1/console/health/readiness",
            "/nacos/v2/console/health/readiness",
            "/nacos/v3/admin/core/state/readiness",
            "/nacos/actuator/health",
        ];
        for path in paths {
            assert_eq!(node.call("GET", path).await.status, 200, "{path}");
        }
        node.http.drain();
        for path in paths {
            assert_eq!(node.call("GET", path).await.status, 500, "{path}");
        }
        let live = node.call("GET", "/nacos/v1/console/health/liveness").await;
        assert_eq!(live.body, "OK");
        assert_eq!(Str::from(node.http.nacos_version()), Str::from("3.1.0"));
    };
    LocalSet::new().run_until(work).await;
}
