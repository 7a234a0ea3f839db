/**
 * PostGraphile 5 over spackmon's own tables, as a site would run it for the same questions.
 *
 * The amber preset, lists beside connections for what is not paged, no mutations, no GraphiQL, values passed on
 * as text, and as many connections as spackmon's reader may have. Foreign keys which the tables do without, of the closure
 * and of sets of tags, are told by smart tags, so that they can be followed. The database is named by PGHOST, PGDATABASE, ...
 */
import { createServer } from "node:http";
import { makePgService } from "postgraphile/adaptors/pg";
import { postgraphile } from "postgraphile";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { jsonPgSmartTags } from "postgraphile/utils";

const keys = (...foreignKey) => ({ tags: { foreignKey } });
const classes = {
  closure: keys("(ancestor_id) references spec (id)", "(descendant_id) references spec (id)"),
  attempt: keys("(tag_set_id) references tag_set (id)"),
  tag_set_member: keys("(tag_set_id) references tag_set (id)", "(tag_id) references tag (id)"),
};

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [jsonPgSmartTags({ version: 1, config: { class: classes } })],
  pgServices: [
    makePgService({
      schemas: ["public"],
      poolConfig: { max: 16, idleTimeoutMillis: 0 },
    }),
  ],
  schema: { defaultBehavior: "connection list -insert -update -delete" },
  grafast: { explain: false },
  grafserv: { graphiql: false, graphiqlOnGraphQLGET: false, watch: false, websockets: false, outputDataAsString: true },
});

const server = createServer();
await instance.createServ(grafserv).addTo(server);
await instance.getSchema();
server.listen(Number(process.env.PORT), "127.0.0.1");
