// An OpenID Connect provider on a port of its own, which it prints; it ends with its standard input.
// Who signs in, and what is known of them, is said in the address of the interaction.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const accounts = new Map();
const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...key, kid: "one", use: "sig", alg: "ES256" }] },
    clients: [
      {
        client_id: "spackmon",
        client_secret: "what the client knows",
        redirect_uris: ["https://monitor.example.org/complete/oidc/"],
        id_token_signed_response_alg: "ES256",
      },
    ],
    claims: {
      openid: ["sub"],
      profile: ["preferred_username", "realm", "teams"],
      email: ["email", "email_verified"],
    },
    cookies: { keys: ["a key of cookies"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts.get(id) }) }),
    loadExistingGrant: async (context) => {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  });
  // The services of the tests have ports that nobody knows before.
  provider.Client.prototype.redirectUriAllowed = (address) =>
    /^http:\/\/127\.0\.0\.1:\d+\/complete\/oidc\/$/.test(address);
  const answer = provider.callback();
  server.on("request", async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (!pathname.startsWith("/interaction/")) return answer(request, response);
    if (searchParams.has("refuse")) {
      return provider.interactionFinished(request, response, { error: "access_denied" });
    }
    const accountId = searchParams.get("subject");
    accounts.set(accountId, JSON.parse(searchParams.get("claims")));
    return provider.interactionFinished(request, response, { login: { accountId } });
  });
  console.log(issuer);
});

process.stdin.resume().on("end", () => process.exit());
