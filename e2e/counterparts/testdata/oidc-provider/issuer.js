// An issuer that believes everybody's name, for a test: node issuer.js CERTIFICATE KEY. It prints its URL.
// POST /rotate gives it another key to sign with.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const signing = { id_token_signed_response_alg: 'ES256' };
const native = {
  ...signing,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: ['http://127.0.0.1/callback'],
};

function provider(issuer) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' };
  return new Provider(issuer, {
    jwks: { keys: [key] },
    cookies: { keys: ['a key of cookies'] },
    clients: [{ client_id: 'coracle', ...native }, { client_id: 'another', ...native }],
    claims: { openid: ['sub', 'groups'] },
    conformIdTokenClaims: false, // groups are in the ID token too
    ttl: { IdToken: 31 }, // seconds; half a minute before the end a token is replaced
    issueRefreshToken: () => true,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: ['sailors'] }) }),
  }).callback();
}

const [, , cert, key] = process.argv;
let answer;
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
  if (request.url === '/rotate') {
    answer = provider(issuer);
    response.end();
    return;
  }
  answer(request, response);
});
let issuer;
server.listen(0, '127.0.0.1', () => {
  issuer = `https://127.0.0.1:${server.address().port}`;
  answer = provider(issuer);
  console.log(`listening ${issuer}`);
});
