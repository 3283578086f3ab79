//! The avoided ports: never picked automatically, given when asked for by number.
//!
//! A table, and the two questions asked of it. The lists come from the Fetch standard's "bad ports",
//! from IANA's and the tools' own registrations, and from the defaults of the usual dev servers: a
//! checkout that is not wired yet must not look wired because it got the very port it would have taken.

use super::port::Port;

const BROWSER: &str = "browsers refuse to connect to it (Fetch standard, bad ports)";

/// First port, last port, why nobody should get it by chance.
const AVOIDED: &[(u16, u16, &str)] = &[
    (1719, 1720, BROWSER),
    (1723, 1723, BROWSER),
    (2049, 2049, BROWSER),
    (3000, 3000, "default of Next.js, Rails, Nuxt, Express"),
    (3306, 3306, "MySQL"),
    (3659, 3659, BROWSER),
    (4045, 4045, BROWSER),
    (4190, 4190, BROWSER),
    (4200, 4200, "default of Angular"),
    (4321, 4321, "default of Astro"),
    (5000, 5000, "AirPlay on macOS, default of Flask and ASP.NET"),
    (5060, 5061, BROWSER),
    (5173, 5173, "default of Vite"),
    (5432, 5432, "PostgreSQL"),
    (6000, 6000, BROWSER),
    (6006, 6006, "default of Storybook"),
    (6379, 6379, "Redis"),
    (6566, 6566, BROWSER),
    (6665, 6669, BROWSER),
    (6679, 6679, BROWSER),
    (6697, 6697, BROWSER),
    (7000, 7000, "AirPlay on macOS"),
    (7001, 7001, "Cassandra, WebLogic"),
    (7070, 7070, "AnyDesk, streaming servers"),
    (7077, 7077, "Spark"),
    (7199, 7199, "Cassandra"),
    (7233, 7233, "Temporal"),
    (7474, 7474, "Neo4j"),
    (7687, 7687, "Neo4j"),
    (7700, 7700, "Meilisearch"),
    (7860, 7860, "default of Gradio"),
    (7946, 7946, "Docker Swarm"),
    (8000, 8000, "default of Django, uvicorn, Laravel, Deno"),
    (8005, 8005, "Tomcat"),
    (8008, 8009, "alternate HTTP, Tomcat"),
    (8025, 8025, "Mailpit"),
    (8080, 8090, "alternate HTTP, default of many servers"),
    (8123, 8123, "Home Assistant, ClickHouse"),
    (8125, 8125, "StatsD"),
    (8161, 8161, "ActiveMQ"),
    (8200, 8200, "Vault"),
    (8300, 8302, "Consul"),
    (8384, 8384, "Syncthing"),
    (8443, 8443, "alternate HTTPS"),
    (8500, 8501, "Consul, default of Streamlit"),
    (8529, 8529, "ArangoDB"),
    (8545, 8545, "Ethereum JSON-RPC"),
    (8600, 8600, "Consul"),
    (8761, 8761, "Eureka"),
    (8787, 8787, "default of wrangler"),
    (8888, 8888, "default of Jupyter"),
    (8983, 8983, "Solr"),
    (9000, 9001, "PHP-FPM, MinIO, SonarQube"),
    (9042, 9042, "Cassandra"),
    (9090, 9093, "Prometheus, Kafka"),
    (9099, 9100, "Firebase emulator, Prometheus exporter"),
    (9150, 9150, "Tor browser"),
    (9199, 9200, "Firebase emulator, Elasticsearch"),
    (9222, 9222, "Chrome's debugger"),
    (9229, 9239, "Node's inspector"),
    (9299, 9300, "Firebase emulator, Elasticsearch"),
    (9399, 9399, "Firebase emulator"),
    (9411, 9411, "Zipkin"),
    (9418, 9418, "git's own daemon"),
    (9443, 9443, "Portainer, alternate HTTPS"),
    (9499, 9499, "Firebase emulator"),
    (9515, 9515, "ChromeDriver"),
    (9876, 9876, "default of Karma"),
    (9999, 9999, "used by many tools"),
    (10080, 10080, BROWSER),
    (24678, 24678, "hot reload of Vite in middleware mode"),
    (27017, 27017, "MongoDB"),
];

/// Returns why the port is avoided; none if it is not.
pub fn reason(port: Port) -> Option<&'static str> {
    let number = port.number();
    let after = AVOIDED.partition_point(|(start, _, _)| *start <= number);
    let (_, end, reason) = AVOIDED.get(after.checked_sub(1)?)?;
    (number <= *end).then_some(reason)
}

/// Returns the table: first port, last port, reason, in ascending order.
pub fn table() -> &'static [(u16, u16, &'static str)] {
    AVOIDED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(AVOIDED.iter().all(|(start, end, _)| start <= end));
        assert!(AVOIDED.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn edges_of_a_run_are_avoided_and_its_neighbours_are_not() {
        let reason = |number| reason(Port::new(number).unwrap());
        assert!(
            reason(8079).is_none()
                && reason(8080).is_some()
                && reason(8090).is_some()
                && reason(8091).is_none()
        );
        assert!(reason(1).is_none() && reason(65535).is_none());
        // The first port of the documents this project came from.
        assert!(reason(8000).is_some() && reason(8001).is_none());
    }
}
