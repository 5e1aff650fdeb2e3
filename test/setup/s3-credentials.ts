/** The credentials that the S3 endpoint of the tests knows. */
export const s3Credentials = { accessKeyId: "test-access-key", secretAccessKey: "test-secret-access-key" };
